"""The networks of BERT as modules, and folders of their weights.

`_layers` are the parts, `_model` the encoder, `_heads` and `_pretraining_heads` what stands on it; `_folder` reads and
writes weights, `_inference` hands them to the encoder without a tape.
"""
