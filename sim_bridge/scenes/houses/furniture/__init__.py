"""Parametric furniture and clutter: each function draws the measures of one piece and returns it, ready to place."""
