/*
 * The door through which JupyterLab and Notebook 7 find the extension.
 *
 * Both expect a module-federation container: an object with `init` (takes the modules that all extensions
 * share) and `get` (gives a function that returns our module). A bundler usually writes this file; by hand it
 * is short, and the other two files stay as they were written.
 */
(() => {
  'use strict';

  const here = document.currentScript.src;
  let shared = {};

  /** The application's own copy of a shared package: a token is only recognised if it is the same object. */
  async function load(name) {
    const versions = Object.values(shared[name] ?? {});
    const version = versions.find(({ loaded }) => loaded) ?? versions[0];
    if (!version) {
      throw new Error(`fairmark-quiz: this application does not share ${name}`);
    }
    return (await version.get())();
  }

  async function get() {
    const [{ INotebookTracker }, { watch }] = await Promise.all([
      load('@jupyterlab/notebook'),
      import(new URL('quiz.js', here)),
    ]);
    const style = document.createElement('link');
    style.rel = 'stylesheet';
    style.href = new URL('quiz.css', here);
    document.head.append(style);

    const plugin = {
      id: 'fairmark-quiz:plugin',
      description: 'Lets students answer quiz cells with a click.',
      autoStart: true,
      requires: [INotebookTracker],
      activate: (app, tracker) => watch(tracker),
    };
    // Without the mark `__esModule` the application takes the whole object for a plugin and stays blank.
    return () => ({ __esModule: true, default: plugin });
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB['fairmark-quiz'] = {
    init: (scope) => {
      shared = scope;
    },
    get,
  };
})();
