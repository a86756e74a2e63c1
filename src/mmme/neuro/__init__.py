"""Brain and body around an expression: event-locked means, group statistics, networks, responses, coupling."""
