"""The exercises of the assignment ``environments``: an old notebook is to run again.

What is stated here about versions was tried: each combination was installed from PyPI on Linux, and the
notebook's cell was run there.

| Python | scikit-image | numpy | what happens |
|---|---|---|---|
| 3.8 | 0.19.3 | 1.24.4 | works |
| 3.9 | 0.18.3 | 1.26.4 | works; `footprint` is not known yet |
| 3.10 | 0.19.3 | 1.26.4 | works, with `selem` and with `footprint` |
| 3.10 | 0.19.3, 0.20.0, 0.21.0, 0.22.0 | 2.2.6 | ValueError at import: numpy.dtype size changed |
| 3.10 | 0.20.0 | 1.26.4 | TypeError: unexpected keyword argument 'selem' |
| 3.10 | 0.23.1 | 2.2.6 | imports; TypeError as above |
| 3.8 | 0.17.2 | 1.24.4 | AttributeError at import: module 'numpy' has no attribute 'bool' |
| 3.11 | below 0.20 | any | no wheel: pip would have to compile |
"""

from pathlib import Path

from fairmark.environment import Clash, Exercise, read_index

_HERE = Path(__file__).parent

median = Exercise(
    "An environment in which the notebook runs",
    index=read_index(_HERE / "pypi.json", _HERE / "conda"),
    needs={"scikit-image": "<0.20", "numpy": ""},
    otherwise="TypeError: median() got an unexpected keyword argument 'selem'",
    clashes=(
        Clash(
            "scikit-image<0.23",
            "numpy>=2",
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility.",
            "These wheels were compiled for numpy 1 and do not say so in their metadata. Bound numpy, too.",
        ),
        Clash(
            "scikit-image<0.18",
            "numpy>=1.24",
            "AttributeError: module 'numpy' has no attribute 'bool'.",
            "scikit-image 0.17 wants a numpy below 1.24; 0.18 and 0.19 do not mind.",
        ),
    ),
)
