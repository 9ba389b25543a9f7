"""Load: workloads, clients in processes of their own, latencies counted from the moment a request was due."""
