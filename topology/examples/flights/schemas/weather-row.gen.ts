// Made by `sluice schema types` from weather-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row an observation.
 */
export interface WeatherRow {
/**
 * The event
 */
id: string
/**
 * IATA code of the airport
 */
origin: string
/**
 * Time of the observation
 */
observed: string
/**
 * Degrees Fahrenheit
 */
temp: (number | null)
/**
 * Dew point, degrees Fahrenheit
 */
dewp: (number | null)
/**
 * Relative humidity, percent
 */
humid: (number | null)
/**
 * Degrees
 */
wind_dir: (number | null)
/**
 * Miles an hour
 */
wind_speed: (number | null)
/**
 * Miles an hour
 */
wind_gust: (number | null)
/**
 * Inches
 */
precip: (number | null)
/**
 * Millibars at sea level
 */
pressure: (number | null)
/**
 * Visibility, miles
 */
visib: (number | null)
}

export const weatherRow: Schema<WeatherRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/weather-row",
  "title": "WeatherRow",
  "description": "One row an observation.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "id",
    "origin",
    "observed",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib"
  ],
  "properties": {
    "id": {
      "type": "string",
      "description": "The event"
    },
    "origin": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airport"
    },
    "observed": {
      "type": "string",
      "format": "date-time",
      "description": "Time of the observation"
    },
    "temp": {
      "type": [
        "number",
        "null"
      ],
      "description": "Degrees Fahrenheit"
    },
    "dewp": {
      "type": [
        "number",
        "null"
      ],
      "description": "Dew point, degrees Fahrenheit"
    },
    "humid": {
      "type": [
        "number",
        "null"
      ],
      "description": "Relative humidity, percent"
    },
    "wind_dir": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Degrees"
    },
    "wind_speed": {
      "type": [
        "number",
        "null"
      ],
      "description": "Miles an hour"
    },
    "wind_gust": {
      "type": [
        "number",
        "null"
      ],
      "description": "Miles an hour"
    },
    "precip": {
      "type": [
        "number",
        "null"
      ],
      "description": "Inches"
    },
    "pressure": {
      "type": [
        "number",
        "null"
      ],
      "description": "Millibars at sea level"
    },
    "visib": {
      "type": [
        "number",
        "null"
      ],
      "description": "Visibility, miles"
    }
  }
});
