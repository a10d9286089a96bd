"""`avw play`: walk through a scene in the browser, beside what a model imagines of the same actions."""
