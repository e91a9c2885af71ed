"""The network IR: the contract between search, reference and hardware."""
