"""Right and wrong answers to the assignment ``filters``, as students write them; one module a filter."""
