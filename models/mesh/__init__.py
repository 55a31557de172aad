# SPDX-License-Identifier: Apache-2.0
"""The mapper of meshes: from a network in integers to the memory contents of many tiles.

In the order of the work: ``graph`` (who reaches whom after how many steps on tiles), ``cut``
(pieces of populations that fit a tile), ``table`` (axons and synapse words of a tile), ``place``
(which tile stands where), ``routes`` (packets and trees), ``fill`` (words of the memories), ``map``
(all of it).
"""
