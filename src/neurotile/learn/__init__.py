# SPDX-License-Identifier: Apache-2.0
"""Learning on a tile in event mode: images in, SDSP with a teacher, accuracy out."""
