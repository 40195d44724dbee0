# Submodule `cluster` of every _core_<level> extension module: groups of rows that nobody has labelled.
