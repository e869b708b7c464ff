"""What a machine and a running cell lack, each with what to do."""
