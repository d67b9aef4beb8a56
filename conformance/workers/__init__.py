"""Workers and Durable Objects beside workerd: the same scenarios against both, every difference listed with its reason."""
