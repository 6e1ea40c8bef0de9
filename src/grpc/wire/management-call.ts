// Who makes a management call, as its request says.

import type { ManagementCall } from '../../domain/management/audit.js';
import { labelField } from './wire.js';

/** The call of this name; FIELD_INVALID for a `by` that may not be kept. */
export function managementCall(call: string, { by }: { readonly by: string }): ManagementCall {
  return { call, by: labelField('by', by) };
}
