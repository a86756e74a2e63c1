"""
One study, from raw files to Results: the order of the steps, what is kept on disk, and nothing else.

Each step is a module of its own, and none is imported here, so that a step needs only the libraries that it uses.
"""
