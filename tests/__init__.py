"""Tests of the dojo, and the run of the proofs."""
