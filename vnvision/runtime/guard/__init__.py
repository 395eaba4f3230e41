"""What of a bundle is looked at before any engine is: names, sizes, shapes, signature. Numpy only, no engine.

Hashes say that a bundle is the one that was written. They do not say who wrote it: whoever writes a bundle
writes its hashes too. So everything here treats the files as written by an enemy, in formats whose readers
(C++ inference engines, ``zipfile``, ``json``) allocate, follow paths or run forever on the word of the file.

* ``plain``: files that are really files, of a size that can be read; what they were when they were hashed.
* ``strict_json``: one meaning for every reader: no key twice, no NaN, no deep nesting.
* ``names``: file names that mean the same file on every system.
* ``npz``, ``onnx``, ``openvino``: contents that stay inside their file and within limits.
* ``keys``, ``seal``: the signature.
"""
