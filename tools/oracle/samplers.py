#!/usr/bin/env python3
"""Golden trajectories of samplers and schedules, from diffusers and k-diffusion.

Usage: python tools/oracle/samplers.py [OUTPUT_FILE]     (default: tests/golden/samplers.safetensors)
Needs torch, numpy, scipy, safetensors, diffusers (made with 0.42.1) and k-diffusion (0.1.1.post1).

The network is a formula that both sides evaluate alike (`network` below), a picture is 16 numbers, and all noise is
torch's from SEED: first what the sampling begins with, then what its steps draw. For each case there are

  NAME      (steps + 1, 8) the first 8 numbers of the state before the first step and after each
  NAME/t    the timestep that each evaluation of the network was told

and sigmas/BETAS, all sigmas of a training with such betas. NAME says what the case is, in words `key=value` that tests/samplers_test.c reads. Where diffusers has the sampler, it is
the reference. k-diffusion is it for `convention=k`, and for what diffusers does not have.
"""

import sys
import types
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import diffusers as d
import scipy.stats

sys.modules.setdefault("clip", types.ModuleType("clip"))  # k-diffusion imports it for measures that are not used here
import k_diffusion as K  # noqa: E402

torch.set_num_threads(1)
torch.set_grad_enabled(False)

SEED = 5
SHAPE = (1, 1, 4, 4)
INDEX = torch.arange(16, dtype=torch.float32).reshape(SHAPE)
KNOWN = torch.sin(INDEX) * 0.8  # the picture of image to image and inpainting
MASK = torch.where(INDEX % 3 == 0, 0.0, torch.where(INDEX % 3 == 1, 1.0, 0.25))

results = {}


class Network:
    def __init__(self):
        self.times = []

    def __call__(self, x, t):
        t = torch.as_tensor(t, dtype=torch.float32).reshape(-1)[0]
        self.times.append(float(t))
        return torch.tanh(1.1 * x + 0.3 * torch.sin(0.007 * t + INDEX))


def name_of(sampler, options):
    return " ".join([sampler] + [f"{k}={v}" for k, v in options.items()])


def keep(sampler, options, states, network):
    name = name_of(sampler, options)
    assert name not in results, name
    rows = torch.stack([s.reshape(-1)[:8].float() for s in states]).contiguous()
    assert torch.isfinite(rows).all(), name
    results[name] = rows
    results[name + "/t"] = torch.tensor(network.times, dtype=torch.float32)


# ---- diffusers ----

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
MULTI = d.DPMSolverMultistepScheduler
CLASSES = {
    "ddpm": (d.DDPMScheduler, dict(clip_sample=False)),
    "ddim": (d.DDIMScheduler, dict(clip_sample=False, set_alpha_to_one=False)),
    "pndm": (d.PNDMScheduler, dict(skip_prk_steps=True, set_alpha_to_one=False)),
    "euler": (d.EulerDiscreteScheduler, {}),
    "euler-ancestral": (d.EulerAncestralDiscreteScheduler, {}),
    "heun": (d.HeunDiscreteScheduler, {}),
    "dpm2": (d.KDPM2DiscreteScheduler, {}),
    "dpm2-ancestral": (d.KDPM2AncestralDiscreteScheduler, {}),
    "lms": (d.LMSDiscreteScheduler, {}),
    "dpmpp-2m": (MULTI, {}),
    "dpmpp-2m-sde": (MULTI, dict(algorithm_type="sde-dpmsolver++")),
    "dpmpp-2m-sde-heun": (MULTI, dict(algorithm_type="sde-dpmsolver++", solver_type="heun")),
    "dpmpp-sde": (d.DPMSolverSDEScheduler, {}),
    "unipc": (d.UniPCMultistepScheduler, {}),
    "deis": (d.DEISMultistepScheduler, {}),
    "lcm": (d.LCMScheduler, dict(clip_sample=False)),
    "tcd": (d.TCDScheduler, dict(clip_sample=False)),
}
PREDICTIONS = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}


class Brownian:
    """The motion that samplers/dpmpp_sde.c draws: an increment for each half of a step."""

    def __init__(self, generator):
        self.generator = generator
        self.half = None

    def __call__(self, sigma, sigma_next):
        z = torch.randn(SHAPE, generator=self.generator)
        sigma, sigma_next = float(sigma), float(sigma_next)
        if self.half is None:
            self.half = (sigma_next, z)
            return z
        middle, first = self.half
        self.half = None
        motion = first * (sigma - middle) ** 0.5 + z * (middle - sigma_next) ** 0.5
        return motion / (sigma - sigma_next) ** 0.5


def configure(sampler, o):
    cls, config = CLASSES[sampler]
    config = dict(SD, **config)
    config["prediction_type"] = PREDICTIONS[o.get("prediction", "eps")]
    if sampler not in ("lcm", "tcd"):
        config["steps_offset"] = o.get("offset", 1)
    if "spacing" in o:
        config["timestep_spacing"] = o["spacing"]
    if o.get("schedule", "normal") not in ("normal", "align-your-steps"):
        config[f"use_{o['schedule']}_sigmas"] = True
    if "final" in o:
        if sampler in ("ddim", "pndm"):
            config["set_alpha_to_one"] = o["final"] == "zero"
        else:
            config["final_sigmas_type"] = {"zero": "zero", "min": "sigma_min"}[o["final"]]
    if "order" in o and sampler != "lms":
        config["solver_order"] = o["order"]
    if o.get("betas") == "linear":
        config["beta_schedule"] = "linear"
    if o.get("betas") == "cosine":
        config["beta_schedule"] = "squaredcos_cap_v2"
    if o.get("zero_snr"):
        config["rescale_betas_zero_snr"] = True
    return cls(**config)


AYS = d.schedulers.AysSchedules["StableDiffusionSigmas"]


def loglinear(table, n):
    """The interpolation that the authors of Align Your Steps give."""
    xs = np.linspace(0, 1, len(table))
    return np.exp(np.interp(np.linspace(0, 1, n), xs, np.log(table[::-1])))[::-1].copy()


def diffusers_case(sampler, **o):
    scheduler, steps, first = configure(sampler, o), o.get("steps", 20), o.get("first", 0)
    network, generator = Network(), torch.Generator().manual_seed(SEED)
    if o.get("schedule") == "align-your-steps":
        published = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
        assert AYS[:-1] == published[:-1]
        scheduler.set_timesteps(sigmas=list(loglinear(published, steps + 1)[:-1]) + [0.0])
    else:
        scheduler.set_timesteps(steps)
    times = scheduler.timesteps[first * scheduler.order :]
    noise = torch.randn(SHAPE, generator=generator)
    if hasattr(scheduler, "set_begin_index") and (first or "mask" in o):
        scheduler.set_begin_index(first * scheduler.order)
    x = scheduler.add_noise(KNOWN, noise, times[:1]) if first else noise * scheduler.init_noise_sigma
    arguments = {}
    if sampler in ("ddpm", "ddim", "euler-ancestral", "dpm2-ancestral", "dpmpp-2m-sde", "dpmpp-2m-sde-heun", "lcm", "tcd"):
        arguments["generator"] = generator
    if "eta" in o:
        arguments["eta"] = o["eta"]
    if sampler == "lms" and "order" in o:
        arguments["order"] = o["order"]
    if sampler == "dpmpp-sde":
        scheduler.noise_sampler = Brownian(generator)
    states = [x]
    for i, t in enumerate(times):
        output = network(scheduler.scale_model_input(x, t), t)
        x = scheduler.step(output, t, x, **arguments).prev_sample
        if "mask" in o:  # pipeline_stable_diffusion_inpaint.py
            known = KNOWN
            if i < len(times) - 1:
                known = scheduler.add_noise(known, noise, torch.tensor([times[i + 1]]))
            x = (1 - MASK) * known + MASK * x
        if scheduler.order == 1 or i % 2 == 1 or i == len(times) - 1:
            states.append(x)
    keep(sampler, o, states, network)


def all_diffusers():
    spaced = [s for s in CLASSES if s not in ("lcm", "tcd")]
    for sampler in spaced:
        for spacing in ("leading", "trailing", "linspace"):
            diffusers_case(sampler, spacing=spacing)
        diffusers_case(sampler, prediction="v")
        if sampler not in ("ddpm", "ddim", "pndm", "euler-ancestral"):
            for schedule in ("karras", "exponential", "beta"):
                diffusers_case(sampler, schedule=schedule)
    for sampler in ("euler", "heun", "dpm2", "dpm2-ancestral", "dpmpp-sde"):
        diffusers_case(sampler, schedule="karras", spacing="leading", prediction="v")
    for sampler in ("lcm", "tcd"):
        diffusers_case(sampler, steps=8)
        diffusers_case(sampler, steps=5, prediction="v")
    diffusers_case("tcd", steps=6, eta=0.8)
    for sampler in ("ddim", "ddpm", "euler"):
        diffusers_case(sampler, prediction="x0")
    diffusers_case("ddim", eta=0.7)
    diffusers_case("ddim", eta=1.0, spacing="trailing", prediction="v")
    diffusers_case("ddim", final="zero", offset=0)
    for spacing in ("leading", "trailing"):
        diffusers_case("ddim", steps=30, spacing=spacing)
        diffusers_case("pndm", steps=30, spacing=spacing)
    # few steps
    for sampler in ("ddim", "euler", "heun", "dpmpp-2m", "dpmpp-2m-sde", "unipc", "deis", "lms"):
        diffusers_case(sampler, steps=7)
    for sampler in ("pndm", "unipc", "deis", "dpmpp-2m", "dpm2", "dpm2-ancestral"):
        diffusers_case(sampler, steps=3)
    diffusers_case("dpmpp-2m", final="min")
    diffusers_case("dpmpp-2m", final="min", steps=8)
    diffusers_case("unipc", final="min")
    diffusers_case("euler", final="min")
    for order in (1, 3):
        for steps in (8, 20):
            diffusers_case("unipc", order=order, steps=steps)
            diffusers_case("deis", order=order, steps=steps)
    diffusers_case("lms", order=2)
    # other betas
    for betas in ("linear", "cosine"):
        diffusers_case("euler", betas=betas)
        diffusers_case("ddim", betas=betas)
        diffusers_case("dpmpp-2m", betas=betas)
    for sampler in ("ddpm", "ddim", "euler", "euler-ancestral", "dpmpp-2m", "unipc"):
        diffusers_case(sampler, zero_snr=1, prediction="v", spacing="trailing")
    diffusers_case("euler", schedule="align-your-steps")
    diffusers_case("euler", schedule="align-your-steps", steps=10)
    # image to image, inpainting
    for sampler in spaced:
        if sampler not in ("dpmpp-sde", "lms"):  # lms: see samplers/lms.c
            diffusers_case(sampler, first=8)
    diffusers_case("pndm", first=1)
    diffusers_case("heun", first=19)
    for sampler in ("ddpm", "ddim", "pndm", "euler", "euler-ancestral", "heun", "dpmpp-2m", "lms", "unipc", "deis"):
        diffusers_case(sampler, mask="noised")
    diffusers_case("euler", mask="noised", first=5)
    diffusers_case("ddim", mask="noised", first=5, prediction="v")


def all_tables():
    tables = {
        "scaled_linear": SD,
        "linear": dict(SD, beta_schedule="linear"),
        "cosine": dict(SD, beta_schedule="squaredcos_cap_v2"),
        "zero_snr": dict(SD, rescale_betas_zero_snr=True),
    }
    for name, config in tables.items():
        abar = d.EulerDiscreteScheduler(**config).alphas_cumprod
        results["sigmas/" + name] = ((1 - abar) / abar) ** 0.5


# ---- k-diffusion ----


class Wrapped:
    """k-diffusion's wrapper of a network with discrete timesteps, around the same network."""

    def __init__(self, prediction, blend):
        self.network = Network()
        abar = d.EulerDiscreteScheduler(**SD).alphas_cumprod
        if prediction == "eps":
            self.inner = K.external.DiscreteEpsDDPMDenoiser(self.network, abar, quantize=False)
        else:
            self.inner = K.external.DiscreteVDDPMDenoiser(self.network, abar, quantize=False)
        self.inner.get_eps = self.inner.get_v = lambda x, t, **kw: self.network(x, t)
        self.blend = blend

    def __call__(self, x, sigma, **kw):
        denoised = self.inner(x, sigma, **kw)
        return MASK * denoised + (1 - MASK) * KNOWN if self.blend else denoised


def a1111_sigmas(inner, schedule, n):
    """modules/sd_schedulers.py of AUTOMATIC1111, from its formulas."""
    low, high = inner.sigmas[0].item(), inner.sigmas[-1].item()
    if schedule == "normal":
        return inner.get_sigmas(n)
    if schedule == "karras":
        return K.sampling.get_sigmas_karras(n, low, high)
    if schedule == "exponential":
        return K.sampling.get_sigmas_exponential(n, low, high)
    if schedule == "sgm-uniform":
        t = torch.linspace(inner.sigma_to_t(torch.tensor(high)), inner.sigma_to_t(torch.tensor(low)), n + 1)[:-1]
        s = inner.t_to_sigma(t).tolist()
    elif schedule == "simple":
        s = [inner.sigmas[-(1 + int(i * len(inner.sigmas) / n))].item() for i in range(n)]
    elif schedule == "beta":
        s = [low + scipy.stats.beta.ppf(p, 0.6, 0.6) * (high - low) for p in 1 - np.linspace(0, 1, n)]
    elif schedule == "kl-optimal":
        s = torch.tan(torch.linspace(np.arctan(high), np.arctan(low), n, dtype=torch.float64)).tolist()
    elif schedule == "align-your-steps":
        s = list(loglinear([14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029], n))
    elif schedule == "align-your-steps-sdxl":
        s = list(loglinear([14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029], n))
    return torch.tensor(s + [0.0], dtype=torch.float32)


FUNCTIONS = {
    "euler": "euler",
    "euler-ancestral": "euler_ancestral",
    "heun": "heun",
    "dpm2": "dpm_2",
    "dpm2-ancestral": "dpm_2_ancestral",
    "lms": "lms",
    "dpmpp-2s-ancestral": "dpmpp_2s_ancestral",
    "dpmpp-2m": "dpmpp_2m",
    "dpmpp-sde": "dpmpp_sde",
    "dpmpp-2m-sde": "dpmpp_2m_sde",
    "dpmpp-2m-sde-heun": "dpmpp_2m_sde",
    "dpmpp-3m-sde": "dpmpp_3m_sde",
}
PREFERRED = {"dpm2": "karras", "dpm2-ancestral": "karras", "dpmpp-2s-ancestral": "karras", "dpmpp-2m": "karras",
             "dpmpp-sde": "karras", "dpmpp-2m-sde": "exponential", "dpmpp-2m-sde-heun": "exponential",
             "dpmpp-3m-sde": "exponential"}
DROPS_LAST = ("dpm2", "dpm2-ancestral", "dpmpp-3m-sde")
SCALED = ("dpmpp-2m", "dpmpp-2m-sde", "dpmpp-2m-sde-heun", "dpmpp-3m-sde")


def k_case(sampler, sigmas=None, **o):
    if sigmas is None:
        o = dict(convention="k", **o)
    wrapped, steps = Wrapped(o.get("prediction", "eps"), o.get("mask") == "blend"), o.get("steps", 20)
    generator = torch.Generator().manual_seed(SEED)
    scale = None
    if sigmas is None:
        schedule = o.get("schedule", PREFERRED.get(sampler, "normal"))
        more = 1 if sampler in DROPS_LAST else 0
        sigmas = a1111_sigmas(wrapped.inner, schedule, steps + more)
        if more:
            sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    else:
        sigmas, scale = sigmas
    noise = torch.randn(SHAPE, generator=generator)
    x = noise * (sigmas[0] if scale is None else scale)
    if "first" in o:
        sigmas = sigmas[o["first"] :]
        x = KNOWN + noise * sigmas[0]
    arguments = {}
    for key, name in (("churn", "s_churn"), ("tmin", "s_tmin"), ("tmax", "s_tmax"), ("s_noise", "s_noise"), ("eta", "eta")):
        if key in o:
            arguments[name] = o[key]
    if sampler == "dpmpp-2m-sde-heun":
        arguments["solver_type"] = "heun"
    if sampler == "dpmpp-sde":
        arguments["noise_sampler"] = Brownian(generator)
    elif "ancestral" in sampler or "sde" in sampler:
        arguments["noise_sampler"] = lambda s, s_next: torch.randn(SHAPE, generator=generator)
    states = [x]

    def note(at):
        states.append(at["x"])

    # k-diffusion draws the noise of churn in every step; here, as in its later versions, only where there is churn.
    draws = iter([o.get("tmin", 0.0) <= s <= o.get("tmax", 1e9) for s in sigmas.tolist()])

    def draw(y):
        return torch.randn(SHAPE, generator=generator) if "churn" in o and next(draws) else torch.zeros(SHAPE)

    randn_like, torch.randn_like = torch.randn_like, draw
    function = getattr(K.sampling, "sample_" + FUNCTIONS[sampler])
    final = function(wrapped, x, sigmas, callback=note, disable=True, **arguments)
    torch.randn_like = randn_like
    states = [states[0]] + states[2:] + [final]
    if "churn" in o:  # the callback shows the state with its churn: only the end can be compared
        states = [states[0], final]
    if sampler in SCALED:
        states = [s / (1 + sigma**2) ** 0.5 for s, sigma in zip(states, sigmas)]
    keep(sampler, o, states, wrapped.network)


def all_k():
    for schedule in ("normal", "karras", "exponential", "sgm-uniform", "simple", "beta", "kl-optimal",
                     "align-your-steps", "align-your-steps-sdxl"):
        k_case("euler", schedule=schedule)
    k_case("euler", schedule="align-your-steps", steps=10)
    k_case("euler", schedule="sgm-uniform", steps=7, prediction="v")
    for sampler in FUNCTIONS:
        k_case(sampler)
        k_case(sampler, schedule="normal", prediction="v")
    k_case("euler", churn=8.0, s_noise=1.003)
    k_case("euler", churn=4.0, tmin=0.3, tmax=8.0, schedule="karras")
    k_case("heun", churn=8.0)
    k_case("dpm2", churn=8.0)
    for sampler in ("euler-ancestral", "dpm2-ancestral", "dpmpp-2s-ancestral", "dpmpp-sde", "dpmpp-2m-sde", "dpmpp-3m-sde"):
        k_case(sampler, eta=0.6, s_noise=0.9)
    for sampler in ("euler", "heun", "dpmpp-2m", "euler-ancestral"):
        k_case(sampler, mask="blend")
    k_case("lms", first=8)
    k_case("euler", first=8)
    # at diffusers' levels, what diffusers does not have
    euler = d.EulerDiscreteScheduler(**SD, timestep_spacing="trailing")
    euler.set_timesteps(20)
    k_case("dpmpp-2s-ancestral", sigmas=(euler.sigmas, euler.init_noise_sigma), spacing="trailing")


def main():
    all_diffusers()
    all_k()
    all_tables()
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/samplers.safetensors")
    save_file(results, out)
    print(f"{out}: {len(results) // 2} cases, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
