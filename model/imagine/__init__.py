"""`avw imagine`: what a model predicts for chosen actions, beside the truth, as pictures, sound and numbers."""
