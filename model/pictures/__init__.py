"""Pictures of observed and imagined futures: film strips, floor plans, sound panels, animations. Needs Pillow only."""
