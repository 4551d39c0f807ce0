// The values of the field `s`, as the other engines have them.
export const FREE = 0;
export const ACTIVE = 1;
export const DONE = 2;
// Dead, by reason; what is from FAILED on is dead.
export const FAILED = 3;
export const POISON = 4;
export const UNHANDLED = 5;
