"""The model that ships with AVW: model.safetensors in this folder, and its card as text in model.md.

`avw export RUN --to checkpoint` writes both; `run_folder.chosen_run` says when the model is used.
"""
