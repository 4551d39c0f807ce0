import 'reflect-metadata';
import { Controller, Module, Next, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WebhookHandler } from '@pathfinder/webhooks';
import { toExpressHandler } from '@pathfinder/webhooks/express';
import type { NextFunction, Request, Response } from 'express';

const webhooks = new WebhookHandler({ secret: process.env.PATHFINDER_WEBHOOK_SECRET ?? '' });

webhooks.on('user.created', ({ data }) => {
  console.log(`welcome, ${data.user.username}`);
});

const receive = toExpressHandler(webhooks);

@Controller('webhooks')
class WebhooksController {
  @Post('pathfinder')
  receive(@Req() request: Request, @Res() response: Response, @Next() next: NextFunction): void {
    receive(request, response, next);
  }
}

@Module({ controllers: [WebhooksController] })
class AppModule {}

// Nest parses bodies before any controller; with rawBody it keeps the signed bytes.
const app = await NestFactory.create<NestExpressApplication>(AppModule, { rawBody: true, logger: ['error', 'warn'] });
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`listening on ${await app.getUrl()}/webhooks/pathfinder`);
