"""What a twin knows of a network: models of its next state and of what a period brings."""
