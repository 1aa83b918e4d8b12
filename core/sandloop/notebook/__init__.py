"""Results and progress in Jupyter: what a cell shows while a question is asked, and what it shows of the answer.

Nothing here imports IPython: where no kernel is running, all of it does nothing.
"""
