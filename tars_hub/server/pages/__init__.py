"""What browsers see: pages made on the server, complete without JavaScript, with nothing loaded from elsewhere."""
