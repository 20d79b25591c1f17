"""What every work and every peer share: processes, wire formats, the load client, results."""
