import * as z from 'zod';
import { type EventDefinition, identifier } from './definition.ts';

/** A generated resume. Inferred: the documentation speaks of "resume metadata" and shows none. */
export interface Resume {
  readonly id: string;
  readonly user_id?: string | undefined;
  readonly format?: string | undefined;
  readonly title?: string | undefined;
  readonly url?: string | undefined;
  /** ISO 8601. */
  readonly created_at?: string | undefined;
}

/** `data` of the resume events, by type. */
export interface ResumeEventData {
  readonly 'resume.generated': { readonly resume: Resume };
  readonly 'resume.downloaded': { readonly resume_id: string; readonly format: string };
}

/** The resume events. */
export const resumeEvents = {
  /** Inferred: every field of the resume. */
  'resume.generated': {
    description: 'A resume has been generated.',
    payload: 'Resume metadata',
    documented: [],
    schema: () => z.looseObject({ resume: resumeSchema() }),
  },
  /** Inferred: the documentation names the id and the format and shows neither. */
  'resume.downloaded': {
    description: 'A resume has been downloaded.',
    payload: 'Resume ID, format',
    documented: [],
    schema: () => z.looseObject({ resume_id: identifier(), format: z.string() }),
  },
} satisfies { readonly [T in keyof ResumeEventData]: EventDefinition<ResumeEventData[T]> };

function resumeSchema() {
  return z.looseObject({
    id: z.string(),
    user_id: identifier().optional(),
    format: z.string().optional(),
    title: z.string().optional(),
    url: z.string().optional(),
    created_at: z.string().optional(),
  });
}
