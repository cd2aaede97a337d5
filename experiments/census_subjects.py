"""The optimizers of the census: requirement -> (what else it needs, how each optimizer is made).

How: "module:name", then settings as name=value; an adapter of `census_adapters` or of
`census_foreign` may stand first.
"""


def of(module, names, adapter=""):
    """Return "adapter module:name" for each of the names."""
    return [f"{adapter} {module}:{name}".strip() for name in names.split()]


def one(how):
    """Return (no needs, [how]): of a package with a single optimizer here."""
    return "", [how]


HERE = {"torch": "torch", "adamlib": "road-to-adam"}  # the environment's own: distributions
TORCH = "Adadelta Adafactor Adagrad Adam AdamW Adamax ASGD LBFGS Muon NAdam RAdam RMSprop Rprop SGD"
RULES = "GradientDescent Momentum Nesterov AdaGrad RMSProp Adam AdamW AMSGrad AdaMax"
RULES += " Lion NAdam RAdam ScheduleFree Muon"
COLLECTION = "ADOPT AdEMAMix Adalite AdaBelief AdaMod Adai Adan AdamP Amos CAME EXAdam Grams Lion"
COLLECTION += " Prodigy QHAdam SOAP ScheduleFreeAdamW StableAdamW Tiger Yogi"
JETTIFY = "AccSGD AdaBelief AdaBound AdaMod AdamP AggMo Apollo DiffGrad Lamb LARS MADGRAD"
JETTIFY += " NovoGrad PID QHAdam QHM RAdam SGDP SGDW SWATS Yogi"
TIMM = "adamw nadamw adabelief lamb lion adopt rmsproptf adan madgrad mars cadamw kron"
TIMM += " novograd laprop"
KERAS = "SGD RMSprop Adam AdamW Adadelta Adagrad Adamax Adafactor Nadam Ftrl Lion Lamb Muon"
OPTAX = "adabelief adafactor adam adamw adan amsgrad lamb lion nadam novograd radam rmsprop yogi"
JAX = "jax==0.10.2 jaxlib==0.10.2 ml_dtypes==0.6.0 opt_einsum==3.4.0 absl-py==2.5.1"
HUB = "huggingface_hub==2.4.0 httpx2==2.16.2 httpcore2==2.16.2 anyio==4.16.0 h11==0.16.0"
HUB += " truststore==0.10.5 hf-xet==1.8.0 regex==2026.11.19 tokenizers==0.23.3"
ROWS = "blis==1.3.4 murmurhash==1.0.16 cymem==2.0.16 preshed==3.0.15 wasabi==1.1.3 srsly==2.5.6"
ROWS += " catalogue==2.0.10 confection==1.3.4 pydantic==2.14.4 pydantic-core==2.50.5"
ROWS += " annotated-types==0.8.0 typing-inspection==0.4.5"
QUANTUM = "autograd==1.8.0 rustworkx==0.18.1 autoray==0.8.4 cachetools==8.0.2 appdirs==1.4.4"
QUANTUM += " diastatic-malt==2.15.3 gast==0.7.0 tomlkit==0.15.2 termcolor==3.3.0 astunparse==1.6.3"
LEARN = "joblib==1.6.0 threadpoolctl==3.8.0 cloudpickle==3.1.3 narwhals==2.29.0"
TORCHIUM = "AdaBelief AdaBound AdaMod Adai AdaNorm AdaPNM AdaShift AdamD AdamMini AdamS RAdam Yogi"
RATELESS = "Adam AdamW Adan Lion RAdam Ranger SGD StableAdamW"
PACKAGES = {
    "torch": ("", [*of("torch.optim", TORCH), "sparse torch.optim:SparseAdam"]),
    "adamlib": ("", of("adamlib.optim", RULES)),
    "pytorch-optimizer==4.1.0": (
        "",
        [
            *of("pytorch_optimizer", COLLECTION),
            "pytorch_optimizer:Ranger21 num_iterations=1000",
            "muon_groups pytorch_optimizer:Muon",
        ],
    ),
    "torch-optimizer==0.3.0": (
        "pytorch-ranger==0.1.1",
        [*of("torch_optimizer", JETTIFY), "around_adam torch_optimizer:Lookahead"],
    ),
    "timm==1.0.31": ("", [*of("timm", TIMM, "timm"), "timm timm:adafactor lr=1e-3"]),
    "torch-optimi==0.3.3": ("", of("optimi", RATELESS, "with_rate")),
    "keras==3.15.1": (
        "absl-py==2.5.1 rich==15.0.0 namex==0.1.0 h5py==3.16.0 optree==0.20.0 ml_dtypes==0.6.0",
        of("keras.optimizers", KERAS, "keras"),
    ),
    "optax==0.2.8": (
        JAX,
        [*of("optax", OPTAX, "optax"), "optax optax.contrib:schedule_free_adamw"],
    ),
    "heavyball==3.2.1": (
        "opt_einsum==3.4.0",
        of("heavyball", "AdamW NAdam ADOPT SFAdamW LaProp Muon SOAP"),
    ),
    "torchopt==0.7.3": (
        "optree==0.20.0 graphviz==0.21",
        of("torchopt", "adam adamw adamax adagrad rmsprop radam", "torchopt"),
    ),
    "transformers==5.24.0": (
        HUB,
        ["transformers.optimization:Adafactor lr=1e-3 relative_step=False"],
    ),
    "bitsandbytes==0.50.2": ("", of("bitsandbytes.optim", "Adam8bit AdamW8bit Lion8bit AdamW")),
    "mlx==0.32.4": ("mlx-cpu==0.32.4", of("mlx.optimizers", "Adam AdamW Lion RMSprop", "mlx")),
    "autograd==1.9.1": (
        "greenlet==3.2.4",
        of("autograd.misc.optimizers", "adam rmsprop sgd", "autograd"),
    ),
    "scikit-learn==1.9.1": (
        LEARN,
        of(
            "sklearn.neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer", "sklearn"
        ),
    ),
    "thinc==9.1.1": (
        ROWS,
        [
            "thinc thinc.optimizers:Adam",
            "thinc thinc.optimizers:Adam grad_clip=0.0",
            "thinc thinc.optimizers:RAdam grad_clip=0.0",
        ],
    ),
    "pennylane==0.45.1": (
        QUANTUM,
        of(
            "pennylane.optimize",
            "AdamOptimizer AdagradOptimizer RMSPropOptimizer MomentumOptimizer",
            "pennylane",
        ),
    ),
    "pyro-ppl==1.9.2": (
        "pyro-api==0.1.2 opt_einsum==3.4.0",
        ["pyro.optim.clipped_adam:ClippedAdam", "pyro.optim.dct_adam:DCTAdam"],
    ),
    "stable-baselines3==2.9.2": (
        "gymnasium==1.4.0 farama-notifications==0.0.6 cloudpickle==3.1.3",
        ["stable_baselines3.common.sb2_compat.rmsprop_tf_like:RMSpropTFLike"],
    ),
    "monai==1.6.1": one("monai.optimizers:Novograd"),
    "pytorch-ranger==0.1.1": ("", of("pytorch_ranger", "Ranger RangerVA RangerQH")),
    "ranger21==0.1.0": one("with_rate ranger21:Ranger21 num_epochs=100 num_batches_per_epoch=1000"),
    "ranger-adabelief==0.1.0": one("ranger_adabelief:RangerAdaBelief"),
    "lion-pytorch==0.2.5": one("lion_pytorch:Lion"),
    "prodigyopt==1.1.2": one("prodigyopt:Prodigy"),
    "schedulefree==1.4.1": (
        "",
        of("schedulefree", "AdamWScheduleFree RAdamScheduleFree SGDScheduleFree"),
    ),
    "dadaptation==3.2": (
        "",
        of("dadaptation", "DAdaptAdam DAdaptSGD DAdaptLion DAdaptAdaGrad DAdaptAdan"),
    ),
    "adabelief-pytorch==0.2.1": (
        "colorama==0.4.6 tabulate==0.9.0",
        ["adabelief_pytorch:AdaBelief"],
    ),
    "adabelief-slim==0.0.1": one("adabelief:AdaBelief"),
    "adabound==0.0.5": one("adabound:AdaBound"),
    "adamod==0.0.3": one("adamod:AdaMod"),
    "adamp==0.3.0": ("", ["adamp:AdamP", "with_rate adamp:SGDP"]),
    "adan-pytorch==0.1.0": one("adan_pytorch:Adan"),
    "came-pytorch==0.1.3": one("with_rate came_pytorch:CAME"),
    "adam-atan2-pytorch==0.4.1": (
        "einops==0.8.1",
        [
            "adam_atan2_pytorch:AdamAtan2",
            "adam_atan2_pytorch.adopt:Adopt",
            "adam_atan2_pytorch.adopt_atan2:AdoptAtan2",
        ],
    ),
    "adam-mini==1.1.1": one("with_names adam_mini:Adam_mini"),
    "torch-adopt==0.1.0": one("adopt:ADOPT"),
    "sgd-sai==1.0.3": one("sgd_sai:SGD_sai"),
    "grokadamw==0.1.2": one("grokadamw:GrokAdamW"),
    "madgrad==1.3": ("", of("madgrad", "MADGRAD MirrorMADGRAD")),
    "qhoptim==1.1.0": one("with_rate qhoptim.pyt:QHAdam"),
    "kron-torch==0.3.3": ("opt_einsum==3.4.0", ["kron_torch.kron:Kron"]),
    "expectigrad==0.0.0": one("expectigrad.pytorch:Expectigrad"),
    "torch-SM3==0.1.0": one("SM3:SM3"),
    "pbSGD==1.0": one("with_rate pbSGD.pbSGD:pbSGD"),
    "sophia-opt==0.2.2": one("sophia_opt:SophiaG"),
    "dog-optimizer==1.0.3": one("dog:DoG"),
    "sadam==0.0.1": one("sadam:SAdam"),
    "adamr==0.0.2": one("adamr:AdamR"),
    "adam-tanhx==0.0.5": one("Adam_tanhx.Adam_tanhx:Adam_tanhx"),
    "adamz==0.1.0": one("adamz:AdamZ"),
    "adamwclip==0.1.4": one("AdamWClip:AdamWClip"),
    "ano-optimizer==1.0.0": one("ano_optimizer:Ano"),
    "Atiny==0.0.4": one("Atiny:Atiny"),
    "casmo-optimizer==0.3.0": one("casmo:CASMO"),
    "core-optimizer==1.1.0": one("core_optimizer:CoRe"),
    "dctadam==0.1.0": one("dctadam:DCTAdam"),
    "dolphinflow==0.2.0": one("dolphinflow:DolphinFlow"),
    "evie-optim==0.1.0": one("evie_optim:EvieOptimizer"),
    "evo-optimizer==0.1.0": one("evo_optimizer:EvoOptimizer"),
    "fanos-optimizer==0.2.0": one("fanos:FANoS"),
    "fanos==0.4.0": one("fanos_v2:FANoSV2"),
    "afor-optimizer==0.1.0": one("with_rate AFOR:afor"),
    "geoopt==0.5.1": one("geoopt.optim:RiemannianAdam"),
    "HomOpt==0.2.0": one("HomOpt.HomM:HomM"),
    "rangerlite==1.0.3": one("rangerlite:RangerLite"),
    "tauon-optimizer==0.1.4": one("tauon:tauon"),
    "TSGD==0.0.2": one("with_rate tsgd:TSGD iters=1000"),
    "optimuon==0.1.1": one("optimuon:Muon"),
    "muon-fsdp2==0.3.0": one("muon_groups muon_fsdp2:Muon"),
    "fsgdm==1.0": one("fsgdm:FSGDM"),
    "omnimuon==0.1.2": ("", of("omnimuon", "Muon OmniMuon Polaris SophiaFD")),
    "open-lars==0.1.1": one("with_rate open_lars:LARS"),
    "opteon==0.1.0": one("opteon:Opteon"),
    "psilogic==0.6.0": one("psilogic:PsiLogic"),
    "pytorch-rad==0.2.1": ("", of("rad.optim", "AdaBayes KFAdam RAD RADAR SWATS")),
    "quad-torch==0.4.5": one("quad_torch:QUAD"),
    "QUTEN-optimizer==1.0.0": one("quten:QUTEN"),
    "relativistic-adam==1.0.0": one("relativistic_adam:RelativisticAdam"),
    "scao==0.2.4": one("scao:SCAO"),
    "tadam==0.0.1": one("tadam:TAdam iters=1000"),
    "topological-adam==2.2.0": ("", of("topological_adam", "TopologicalAdam TopologicalAdamV4")),
    "torch2-look-ahead==0.1.0": one("around_adam lookahead_pytorch:Lookahead"),
    "torchium==0.1.5": ("", of("torchium.optimizers", TORCHIUM)),
    "zengrad-pytorch==0.1.1": one("zengrad_pytorch:ZenGrad"),
    "zij==0.1.1": ("", of("zij.contrib.first_order", "AdaGC Adai AdaShift EXAdam FAdam LaProp")),
}
