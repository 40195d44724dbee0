# Submodule `neighbors` of every _core_<level> extension module: the nearest points, and the spanning tree of them.
