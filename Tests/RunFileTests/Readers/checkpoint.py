# Opens a checkpoint as anybody would and prints what its tensors add up to.
import sys
import h5py

with h5py.File(sys.argv[1], "r") as file:
    for path in ["model/model/layers/0/self_attn/k_proj/weight", "model/lm_head/weight", "model/top_head/weight"]:
        tensor = file[path]
        print(path, tensor.dtype, tensor.shape, float(tensor[0, 1]), float(tensor[-1, -1]))
    print(sorted(file["optimizer"]), file["optimizer/exp_avg/model/norm/weight"].shape)
    print(file["state"].attrs["step"], file["state"].attrs["rateFactor"], bytes(file["tokenizer/model"][:]).decode())
