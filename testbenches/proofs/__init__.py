# SPDX-License-Identifier: Apache-2.0
"""What is proved about components, for all inputs: docs/proofs.md."""
