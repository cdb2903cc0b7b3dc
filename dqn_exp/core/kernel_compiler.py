"""Numba compilers that skip passes which this package does not need.

By default, numba optimizes every function and generates machine code for it, even if all callers
inline it. Here, a function that only compiled functions call is lowered to LLVM IR, and optimized
as part of its callers. Callers are optimized once; numba does so twice, to prune reference counts,
which this code does not use.
"""

from typing import Any

from llvmlite import binding as llvm
from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _KernelLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code that is linked into that of its callers, and not executed by itself."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _EntryLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code that Python calls, with that of the kernels that are a part of it."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        # Vectors are explicit, and copies of loops take long to compile without making them faster.
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
        builder = llvm.create_pass_builder(self._codegen._tm, options)
        builder.getModulePassManager().run(self._final_module, builder)


@register_pass(mutates_CFG=True, analysis_only=False)
class _EntryLowering(NativeLowering):  # type: ignore[misc]
    _name = "entry_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lowers a function into a library of its own."""
        state.library = _EntryLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        done: bool = super().run_pass(state)
        return done


@register_pass(mutates_CFG=True, analysis_only=False)
class _KernelLowering(NativeLowering):  # type: ignore[misc]
    _name = "kernel_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lowers a function into a library of its own, and registers it for its callers."""
        codegen = state.targetctx.codegen()
        state.library = _KernelLibrary(codegen, state.func_id.func_qualname)
        state.flags.no_compile = True
        done: bool = super().run_pass(state)
        lowered = state["cr"]
        name, library = lowered.fndesc.qualname, state.library
        # Callers find a function by this object. It has no address: Python must not call it.
        handle = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, name, 0, lowered.env, (library,)
        )
        state.targetctx.insert_user_function(handle, lowered.fndesc, [library])
        state["cr"] = lowered._replace(cfunc=handle)
        return done


class KernelCompiler(CompilerBase):  # type: ignore[misc]
    """Compiles functions that only compiled functions call, without machine code."""

    lowering = _KernelLowering

    def define_pipelines(self) -> list[Any]:
        """Returns numba's passes with another lowering."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (self.lowering, note) if kind is NativeLowering else (kind, note)
            for kind, note in manager.passes
        ]
        manager.finalize()
        return [manager]


class EntryCompiler(KernelCompiler):
    """Compiles functions that Python calls."""

    lowering = _EntryLowering
