"""Tests of the spatial memory."""
