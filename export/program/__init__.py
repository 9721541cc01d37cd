"""A model as a program of torch's own (``torch.export``): how it is written, how it attends, how it runs.

``attention`` and ``session`` need torch and nothing else, so a box that serves can load a program.
"""
