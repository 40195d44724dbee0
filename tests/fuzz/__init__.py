"""Files that were damaged or forged, in great numbers: loaders may refuse them by ValueError, and do nothing else.

``python -m fuzz`` in ``tests`` (``make fuzz``) runs all loaders. `mutations` changes bytes, texts and parsed headers;
`seeds` makes small valid files; `loaders` reads a file and calls all that a user could; `runner` does so in processes
with limits on memory and time, counts, and names what it finds so that it can be made again.
"""
