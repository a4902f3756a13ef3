print("foretop")
