# Submodule `text` of every _core_<level> extension module: documents as counts of terms.
