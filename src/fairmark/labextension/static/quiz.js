/*
 * Quiz cells that are answered with a click.
 *
 * A question is a Markdown cell that nbgrader grades and the student answers, with a task list in it. The
 * rendered list becomes radio buttons (one answer) or check boxes (any number). The text of the cell stays
 * the only truth: a click writes one character between two brackets, and what is shown is read from there.
 * So undo, collaboration, other editors and people without this extension all see the same answer.
 */

/** The start of a line that may be an option, up to its closing bracket. */
const BOX = /^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[[ xX]\](?=[ \t]+\S)/gm;
/** What may stand below the text of an option: an explanation, a nested list … */
const BLOCKS = 'blockquote, ul, ol, p, pre, div, table, hr, details';
const SAVE = /mac|iphone|ipad/i.test(navigator.platform) ? '⌘S' : 'Ctrl+S';

let count = 0;

function element(name, className, ...children) {
  const node = document.createElement(name);
  node.className = className;
  node.append(...children);
  return node;
}

/** The text with every box empty: it stays the same while only the answer changes. */
function emptied(source) {
  return source.replace(BOX, (start) => `${start.slice(0, -2)} ]`);
}

/** All task list boxes of a rendered page, and those of them that are the options of a question. */
function boxesIn(page) {
  return [...page.querySelectorAll('li input[type="checkbox"]')];
}

function isOption(box, page) {
  return box.closest('ul, ol').parentElement === page;
}

/**
 * Where the character between the brackets stands in the text, for each box of the rendered page.
 *
 * Which brackets become boxes, and which only look so (in a block of code, say), is for the application's own
 * parser to tell: it gets the text with a number behind each pair of brackets.
 */
async function findBoxes(source, parser) {
  const places = [];
  const numbered = source.replace(BOX, (start, at) => {
    places.push(at + start.length - 2);
    return `${start} \uE000${places.length - 1}\uE001`;
  });
  const page = new DOMParser().parseFromString(await parser.render(numbered), 'text/html');
  return boxesIn(page).map((box) => {
    const [, number] = /^\s*\uE000(\d+)\uE001/.exec(box.closest('li').textContent) ?? [];
    return places[number];
  });
}

/** One option: its place in the text, and the card that stands for it on the page. */
function makeOption(box, place, name, markdown) {
  const item = box.closest('li');
  const line = box.parentElement; // the item itself or, in a list with blank lines, its first paragraph
  const nodes = [...line.childNodes].filter((node) => node !== box);
  const end = line === item ? nodes.findIndex((node) => node.nodeType === 1 && node.matches(BLOCKS)) : -1;
  const text = element('span', 'fairmark-Option-text', ...nodes.slice(0, end < 0 ? undefined : end));
  const input = element('input', 'fairmark-Option-input');
  input.name = name;
  const words = markdown.replace(/!\[\]\(.*?\)/g, '');
  if (!/[\p{L}\p{N}]/u.test(words.replace(/\$[^$]*\$/g, ''))) {
    // a formula has no words that could be read aloud, but its TeX has
    input.ariaLabel = words.replace(/\$/g, '').trim() || 'Picture without a description';
  }
  (line === item ? box : line).replaceWith(element('label', 'fairmark-Option-label', input, text));
  item.className = 'fairmark-Option';
  item.role = 'none';
  return { place, item, input };
}

/** What one Markdown cell shows and does while it is a question. */
export class Question {
  constructor(cell, panel) {
    this.cell = cell;
    this.text = cell.model.sharedModel;
    this.parser = panel.content.rendermime.markdownParser;
    this.document = panel.context.model;
    this.id = `fairmark-question-${++count}`;
    this.status = element('p', 'fairmark-Status');
    this.status.id = `${this.id}-status`;
    this.release();

    const show = () => this.show();
    const attach = () => this.attach().catch((error) => console.warn('fairmark-quiz:', error));
    const observer = new MutationObserver(attach);
    observer.observe(cell.node, { childList: true, subtree: true });
    cell.model.contentChanged.connect(show);
    cell.model.metadataChanged.connect(() => {
      this.release();
      attach();
    });
    this.document.stateChanged.connect(show);
    cell.disposed.connect(() => {
      observer.disconnect();
      this.document.stateChanged.disconnect(show);
    });
    attach();
  }

  /** `one`, `any`, another kind, or "" where the author leaves it to the number of ticks; else undefined. */
  get namedKind() {
    const { grade, solution } = this.cell.model.getMetadata('nbgrader') ?? {};
    return grade && solution ? (this.cell.model.getMetadata('fairmark')?.kind ?? '') : undefined;
  }

  /** Set the options into the page, each time that the application has rendered the cell. */
  async attach() {
    const page = this.cell.node.querySelector('.jp-MarkdownOutput');
    const ours = ['one', 'any', ''].includes(this.namedKind);
    if (!page || !ours || this.lists.some((list) => page.contains(list))) {
      return;
    }
    const turn = ++this.turn;
    const shape = emptied(this.text.getSource());
    const places = shape === this.shape ? this.places : await findBoxes(shape, this.parser);
    const boxes = boxesIn(page);
    const options = boxes.filter((box) => isOption(box, page));
    const known = boxes.length === places.length && !places.includes(undefined);
    if (turn !== this.turn || !options.length || !known) {
      return;
    }
    const lists = [...new Set(options.map((box) => box.closest('ul, ol')))];
    if (shape === this.shape && lists.length === this.lists.length) {
      lists.forEach((list, index) => list.replaceWith(this.lists[index])); // so nothing flickers
    } else {
      Object.assign(this, { shape, places, lists, focused: undefined });
      this.plain = lists.map((list) => list.cloneNode(true));
      this.options = options.map((box) => {
        const place = places[boxes.indexOf(box)];
        return makeOption(box, place, this.id, /.*/.exec(shape.slice(place + 2))[0].trim());
      });
      lists.forEach((list) => this.listen(list));
    }
    this.label(page);
    this.returnFocus(); // before anything is said: only who answers hears it
    this.show();
  }

  /** Give the page back as the application rendered it, and forget what was known of the text. */
  release() {
    this.lists?.forEach((list, index) => list.replaceWith(this.plain[index]));
    this.status.remove();
    this.turn = (this.turn ?? 0) + 1; // whoever is still waiting for the parser comes too late
    Object.assign(this, { shape: undefined, lists: [], options: [], kind: undefined, focused: undefined });
  }

  listen(list) {
    const find = ({ target }) => this.options.find(({ input }) => input === target);
    const pictures = [...list.children].every((item) => item.querySelector('label img'));
    list.classList.add('fairmark-Options', ...(pictures ? ['fairmark-mod-pictures'] : []));
    list.addEventListener('change', (event) => this.choose(find(event)));
    list.addEventListener('focusin', (event) => {
      this.focused = find(event);
    });
    list.addEventListener('focusout', ({ relatedTarget }) => {
      this.focused = relatedTarget ? undefined : this.focused; // without one, the page was rendered anew
    });
  }

  /** Name the options by the last words before them, and put the status below them. */
  label(page) {
    const before = [...page.children].slice(0, [...page.children].indexOf(this.lists[0]));
    const words = before.findLast((node) => /^(P|H\d)$/.test(node.tagName) && node.textContent.trim());
    if (words) {
      words.id = this.id;
    }
    for (const list of this.lists) {
      list.setAttribute(...(words ? ['aria-labelledby', this.id] : ['aria-label', 'Options']));
      list.setAttribute('aria-describedby', this.status.id);
    }
    this.lists.at(-1).after(this.status);
  }

  returnFocus() {
    const active = document.activeElement;
    if (this.focused && (active.contains(this.cell.node) || this.cell.node.contains(active))) {
      this.focused.input.focus({ preventScroll: true });
    }
  }

  isTicked({ place }) {
    return 'xX'.includes(this.text.getSource()[place]);
  }

  /** Show the answer that the text holds now. */
  show() {
    if (!this.lists.length || emptied(this.text.getSource()) !== this.shape) {
      return; // the text itself is being edited: the page is about to be rendered anew
    }
    const ticks = this.options.filter((option) => this.isTicked(option)).length;
    this.kind = this.namedKind || (ticks > 1 ? 'any' : (this.kind ?? (ticks ? 'one' : 'any')));
    const clash = this.kind === 'one' && ticks > 1;
    const closed = this.cell.readOnly || this.document.readOnly;
    for (const option of this.options) {
      const ticked = this.isTicked(option);
      option.input.type = this.kind === 'one' ? 'radio' : 'checkbox';
      option.input.checked = ticked && !clash;
      option.input.disabled = closed;
      option.item.classList.toggle('fairmark-mod-ticked', ticked);
    }
    for (const list of this.lists) {
      list.role = this.kind === 'one' ? 'radiogroup' : 'group';
      list.classList.toggle('fairmark-mod-clash', clash);
    }
    this.say(this.sentence(ticks, clash, closed), clash ? 'clash' : ticks ? 'answered' : 'open');
  }

  sentence(ticks, clash, closed) {
    if (clash) {
      return `${ticks} options are ticked, but only one answer counts. Choose one.`;
    }
    if (closed) {
      return ticks ? 'Answered. This copy cannot be changed.' : 'Not answered. This copy cannot be changed.';
    }
    if (!ticks) {
      return this.kind === 'one' ? 'Not answered yet. Choose one.' : 'Not answered yet. Tick all that apply.';
    }
    return this.document.dirty ? `Answered. Save the notebook (${SAVE}) to keep it.` : 'Answered and saved.';
  }

  /** Write the status; read it aloud only to the person who is answering this question. */
  say(sentence, state) {
    const answering = this.lists.some((list) => list.contains(document.activeElement));
    this.status.ariaLive = answering ? 'polite' : 'off';
    this.status.dataset.state = state;
    if (this.status.textContent !== sentence) {
      this.status.textContent = sentence;
    }
  }

  /** Write a choice into the text: one character for each option that changes, in one step to undo. */
  choose(chosen) {
    if (emptied(this.text.getSource()) === this.shape) {
      this.text.transact(() => {
        for (const option of this.options) {
          const ticked = this.isTicked(option);
          const wanted = option === chosen ? option.input.checked : ticked && this.kind === 'any';
          if (wanted !== ticked) {
            this.text.updateSource(option.place, option.place + 1, wanted ? 'x' : ' ');
          }
        }
      });
    }
    this.show();
  }
}

/** Keep arrows, space and double clicks on an option from the notebook: it would leave or edit the cell. */
function keepFromNotebook(event) {
  const modified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
  const answers = event.type === 'dblclick' || (/^( |Arrow.*)$/.test(event.key) && !modified);
  if (answers && event.target.closest?.('.fairmark-Option')) {
    event.stopPropagation();
  }
}

/** Look after every Markdown cell of every notebook that is open or will be. */
export function watch(tracker) {
  window.addEventListener('keydown', keepFromNotebook, true);
  window.addEventListener('dblclick', keepFromNotebook, true);
  const open = async (panel) => {
    const known = new WeakSet();
    const look = () => {
      for (const cell of panel.content.widgets) {
        if (cell.model.type === 'markdown' && !known.has(cell)) {
          known.add(cell);
          new Question(cell, panel);
        }
      }
    };
    await panel.context.ready;
    panel.content.model?.cells.changed.connect(look);
    look();
  };
  tracker.forEach(open);
  tracker.widgetAdded.connect((_, panel) => open(panel));
}
