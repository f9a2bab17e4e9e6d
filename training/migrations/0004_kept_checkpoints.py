import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("models_runtime", "0005_audit_places"),
        ("training", "0003_checkpoint_batches_and_pair_rounds"),
    ]

    operations = [
        migrations.AddField(
            model_name="checkpointbatch",
            name="keeping",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="keeps_for",
                to="models_runtime.job",
            ),
        ),
        migrations.AlterField(
            model_name="checkpointbatch",
            name="publishing",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="checkpoint_batch",
                to="models_runtime.job",
            ),
        ),
    ]
