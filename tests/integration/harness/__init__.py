"""What the integration suites stand on: real processes, a raw client, and what /metrics says."""
