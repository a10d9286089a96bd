"""Parametric furniture and small items. Each function draws random dimensions and returns a piece ready to place."""
