# Submodule `metrics` of every _core_<level> extension module: how good predictions are.
