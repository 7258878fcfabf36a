"""nbgrader's gradebook: `opening` it, its `assignments`, `writing` marks into it, and `reading` them."""
