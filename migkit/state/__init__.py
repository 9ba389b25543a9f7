"""State: capture, fingerprints, comparison, and the judgement of a comparison."""
