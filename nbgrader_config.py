"""The course's configuration for nbgrader; the last line switches fairmark on."""

import fairmark

c = get_config()  # noqa: F821 - nbgrader gives it

c.CourseDirectory.course_id = "research-software-and-images"
c.ExecutePreprocessor.timeout = 10  # seconds for one cell; the slowest honest loops take about one

fairmark.enable(c)
