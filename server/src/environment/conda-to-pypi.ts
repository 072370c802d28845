/** What a conda package is outside conda. */
export type PypiCounterpart =
  | { readonly kind: "package"; readonly name: string }
  /** comes with the interpreter, the machine, or the wheels that need it */
  | { readonly kind: "ignored" }
  | { readonly kind: "unsupported"; readonly reason: string };

/** Where conda and PyPI call the same package differently; other names are the same in both. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["brotli-python", "brotli"],
  ["dask-core", "dask"],
  ["faiss", "faiss-cpu"],
  ["keras-gpu", "keras"],
  ["matplotlib-base", "matplotlib"],
  ["msgpack-python", "msgpack"],
  ["opencv", "opencv-python-headless"],
  ["py-lightgbm", "lightgbm"],
  ["py-opencv", "opencv-python-headless"],
  ["py-xgboost", "xgboost"],
  ["py-xgboost-cpu", "xgboost"],
  ["py-xgboost-gpu", "xgboost"],
  ["pyqt", "pyqt5"],
  ["pytables", "tables"],
  ["python-blosc", "blosc"],
  ["python-flatbuffers", "flatbuffers"],
  ["python-graphviz", "graphviz"],
  ["pytorch", "torch"],
  ["pytorch-cpu", "torch"],
  ["pytorch-gpu", "torch"],
  ["ruamel_yaml", "ruamel.yaml"],
  ["seaborn-base", "seaborn"],
  ["tensorflow-base", "tensorflow"],
  ["tensorflow-eigen", "tensorflow"],
  ["tensorflow-gpu", "tensorflow"],
  ["tensorflow-mkl", "tensorflow"],
]);

/** The interpreter itself, libraries that PyPI's wheels bring along, and compilers. */
const IGNORED: ReadonlySet<string> = new Set([
  ...["python", "pip", "wheel", "python_abi", "ca-certificates", "tzdata"],
  ...[
    "blas",
    "mkl",
    "mkl-service",
    "mkl_fft",
    "mkl_random",
    "mkl-include",
    "nomkl",
    "openblas",
    "intel-openmp",
    "llvm-openmp",
  ],
  ...["cudatoolkit", "cudnn", "nccl", "cpuonly", "pytorch-mutex", "pytorch-cuda", "_tflow_select"],
  ...["_libgcc_mutex", "_openmp_mutex", "ld_impl_linux-64", "ld_impl_linux-aarch64", "sysroot_linux-64"],
  ...[
    "gcc",
    "gxx",
    "gfortran",
    "gcc_linux-64",
    "gxx_linux-64",
    "gfortran_linux-64",
    "compilers",
    "c-compiler",
    "cxx-compiler",
    "make",
  ],
  ...[
    "bzip2",
    "expat",
    "freetype",
    "glib",
    "hdf5",
    "icu",
    "jpeg",
    "krb5",
    "lcms2",
    "lz4-c",
    "ncurses",
    "openssl",
    "readline",
  ],
  ...["sqlite", "tk", "xz", "yaml", "zlib", "zstd", "zeromq"],
]);

/** Shared libraries have no counterpart; names such as `librosa` and `libcst` are Python packages. */
const LIBRARY =
  /^(lib(gcc|gcc-ng|stdcxx|stdcxx-ng|gfortran|gfortran-ng|gfortran[345]|gomp|blas|cblas|lapack|lapacke|openblas|ffi|png|tiff|webp|webp-base|jpeg-turbo|sodium|uuid|nsl|sqlite|zlib|xcb|xml2|iconv|protobuf|edit|deflate|opencv|curl|ssh2|nghttp2|ev|faiss)|cuda(-.+)?)$/;

const R_LANGUAGE = /^(r|r-.+|_r-mutex|mro-base|mro-base_impl)$/;

/** @param name as in the conda file, lower case */
export function pypiCounterpart(name: string): PypiCounterpart {
  if (R_LANGUAGE.test(name)) {
    return { kind: "unsupported", reason: "R packages cannot be installed; only Python packages can." };
  }
  if (IGNORED.has(name) || LIBRARY.test(name)) return { kind: "ignored" };
  return { kind: "package", name: RENAMED.get(name) ?? name };
}
