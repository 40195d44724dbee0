"""What every public class of mlcore keeps to, whatever its family: a class gets these tests by being registered.

``cases.py`` says for each class what its typical data and quick settings are. ``runtime.py`` is what is tried in a
process of its own (threads, fork, Ctrl-C), one process a class; the tests lie by theme beside it.
"""
