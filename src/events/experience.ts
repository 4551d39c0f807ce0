import * as z from 'zod';
import { type EventDefinition, identifier } from './definition.ts';

/** A piece of professional experience. Inferred: the documentation names the object and shows none of its fields. */
export interface Experience {
  readonly id: string;
  readonly user_id?: string | undefined;
  readonly title?: string | undefined;
  readonly organization?: string | undefined;
  readonly description?: string | undefined;
  /** ISO 8601. */
  readonly start_date?: string | undefined;
  /** ISO 8601; `null` while it lasts. */
  readonly end_date?: string | null | undefined;
  /** ISO 8601. */
  readonly created_at?: string | undefined;
  /** ISO 8601. */
  readonly updated_at?: string | undefined;
}

/** What the analysis of an experience has found. The documentation shows it in full. */
export interface ExperienceAnalysis {
  readonly competencies: readonly Competency[];
  /** Advice in words, e.g. `'Add quantifiable achievements'`. */
  readonly recommendations: readonly string[];
}

/** How well an experience shows one competency. */
export interface Competency {
  /** E.g. `'Financial Reporting'`. */
  readonly area: string;
  /** E.g. `'Level 2'`. */
  readonly level: string;
  /** E.g. `0.85`. */
  readonly score: number;
}

/** `data` of the experience events, by type. */
export interface ExperienceEventData {
  readonly 'experience.created': { readonly experience: Experience };
  readonly 'experience.updated': { readonly experience: Experience };
  readonly 'experience.deleted': { readonly experience_id: string };
  readonly 'experience.analyzed': { readonly experience_id: string; readonly analysis: ExperienceAnalysis };
}

/** The experience events. */
export const experienceEvents = {
  /** Inferred: every field of the experience. */
  'experience.created': {
    description: 'A user has added an experience.',
    payload: 'Experience object',
    documented: [],
    schema: () => z.looseObject({ experience: experienceSchema() }),
  },
  /** Inferred: every field of the experience. */
  'experience.updated': {
    description: 'An experience has changed; `previous_attributes` tells from what.',
    payload: 'Experience object with changes',
    documented: [],
    previousAttributes: 'Experience',
    schema: () => z.looseObject({ experience: experienceSchema() }),
  },
  /** Inferred: the documentation names the id and does not show it. */
  'experience.deleted': {
    description: 'An experience has been removed.',
    payload: 'Experience ID',
    documented: [],
    schema: () => z.looseObject({ experience_id: identifier() }),
  },
  /** The documentation shows this payload in full. */
  'experience.analyzed': {
    description: 'The CPA analysis of an experience is complete.',
    payload: 'Analysis results',
    documented: [
      'experience_id',
      'analysis.competencies[].area',
      'analysis.competencies[].level',
      'analysis.competencies[].score',
      'analysis.recommendations',
    ],
    schema: () => z.looseObject({ experience_id: identifier(), analysis: analysisSchema() }),
  },
} satisfies { readonly [T in keyof ExperienceEventData]: EventDefinition<ExperienceEventData[T]> };

function experienceSchema() {
  return z.looseObject({
    id: z.string(),
    user_id: identifier().optional(),
    title: z.string().optional(),
    organization: z.string().optional(),
    description: z.string().optional(),
    start_date: z.string().optional(),
    end_date: z.string().nullable().optional(),
    created_at: z.string().optional(),
    updated_at: z.string().optional(),
  });
}

function analysisSchema() {
  return z.looseObject({
    competencies: z.array(z.looseObject({ area: z.string(), level: z.string(), score: z.number() })),
    recommendations: z.array(z.string()),
  });
}
