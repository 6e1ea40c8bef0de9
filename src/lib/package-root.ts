// Where the package lies, whether this runs from its sources or from its build.

/** The package's directory: what it ships beside its code is found from here. */
export const PACKAGE_ROOT = new URL(
  /\/dist\/src\/lib\/[^/]+$/.test(import.meta.url) ? '../../../' : '../../',
  import.meta.url,
);
