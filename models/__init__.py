# SPDX-License-Identifier: Apache-2.0
"""From a trained network to a program: NIR import, quantisation, mapping, the zoo."""
