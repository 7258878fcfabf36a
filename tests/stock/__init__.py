"""nbgrader's own tests, in courses that have fairmark switched on."""
