# SPDX-License-Identifier: Apache-2.0
"""Studies of meshes on the fast engine; each is ``python -m neurotile.studies.NAME``.

``delay_memory``, ``multicast`` and ``mesh_size`` write a table and a picture (docs/studies.md).
"""
